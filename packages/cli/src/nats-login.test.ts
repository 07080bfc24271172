import { expect, test } from "@jest/globals";
import { natsLogin } from "./nats-login.ts";

test("is what the services read, and no file of theirs", () => {
  const env = {
    KVMGOV_CONFIG: "/nowhere/classifier.yaml",
    KVMGOV_NATS_URL: "tls://bus.example:4222",
    KVMGOV_NATS_USER: "u",
    KVMGOV_NATS_PASSWORD: "1e5",
    KVMGOV_NATS_TLS: "{ caFile: /etc/ssl/fleet.pem }",
  };
  expect(natsLogin(env)).toEqual({
    url: "tls://bus.example:4222",
    user: "u",
    password: "1e5",
    tls: { caFile: "/etc/ssl/fleet.pem" },
  });
  expect(natsLogin({})).toEqual({ url: "nats://127.0.0.1:4222" });
});

test("names the variable that cannot be", () => {
  expect(() => natsLogin({ KVMGOV_NATS_TLS: "{ ca: x }" })).toThrow(/environment variable KVMGOV_NATS_TLS/);
  expect(() => natsLogin({ KVMGOV_NATS_TLS: "yes" })).toThrow(/environment variable KVMGOV_NATS_TLS/);
});
