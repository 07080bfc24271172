import { once } from "node:events";
import { afterEach, expect, it } from "@jest/globals";
import { createLogger, Readiness } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { redisConfigSchema } from "./redis-config.ts";
import { RedisConnection } from "./redis-connection.ts";

let connection: RedisConnection | undefined;
afterEach(() => connection?.close());

function open(): RedisConnection {
  connection = new RedisConnection({
    // Nobody listens there.
    config: redisConfigSchema.parse({ redisUrl: "redis://127.0.0.1:1" }),
    log: createLogger("test", "silent"),
    readiness: new Readiness(),
    registry: new Registry(),
  });
  return connection;
}

it("connects again where the client has given up", async () => {
  const { redis } = open();
  const ended = once(redis, "end");
  redis.disconnect();
  await ended;
  await once(redis, "connecting");
});

it("does not once it is closed", async () => {
  const own = open();
  const ended = once(own.redis, "end");
  own.close();
  await ended;
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(own.redis.status).toBe("end");
});
