import { describe, expect, it } from "@jest/globals";
import { parseRedisUrl, redisConfigSchema } from "./redis-config.ts";

const read = (config: object) => parseRedisUrl(redisConfigSchema.parse(config));

describe("parseRedisUrl", () => {
  it.each([
    [{}, { addresses: [{ host: "127.0.0.1", port: 6379 }], tls: false, database: 0 }],
    [
      { redisUrl: "rediss://me:a%40b@[::1]:7000/3" },
      { addresses: [{ host: "::1", port: 7000 }], tls: true, user: "me", password: "a@b", database: 3 },
    ],
    [
      { redisUrl: "redis://a, redis://b:1", redisMode: "sentinel" },
      {
        addresses: [
          { host: "a", port: 26_379 },
          { host: "b", port: 1 },
        ],
        tls: false,
        database: 0,
      },
    ],
    [
      { redisUrl: "redis://x:y@a", redisUser: "me", redisPassword: "mine" },
      { addresses: [{ host: "a", port: 6379 }], tls: false, user: "me", password: "mine", database: 0 },
    ],
  ])("reads %j", (config, places) => expect(read(config)).toEqual(places));

  it.each([
    [{ redisUrl: "redis://a,redis://b" }, /several addresses need redisMode/],
    [{ redisUrl: "redis://a,rediss://b", redisMode: "cluster" }, /do not go together/],
    [{ redisUrl: "redis://a/1", redisMode: "cluster" }, /a Cluster has only 0/],
    [{ redisUrl: "redis://a/x" }, /database x/],
    [
      { redisUrl: "http://:secret@a" },
      /^configuration: redisUrl: must be redis:\/\/HOST:PORT or rediss:\/\/HOST:PORT$/,
    ],
  ])("refuses %j", (config, message) => expect(() => read(config)).toThrow(message));
});
