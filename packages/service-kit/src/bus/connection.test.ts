import { expect, it } from "@jest/globals";
import { withoutCredentials } from "./connection.ts";

it("hides credentials in addresses", () => {
  expect(withoutCredentials("nats://user:secret@a:4222,nats://b:4222")).toBe("nats://a:4222,nats://b:4222");
  expect(withoutCredentials("redis://:pw@h/0")).toBe("redis://h/0");
});
