import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { Classifier } from "./client.ts";

describe("a classifier that asks who it is", () => {
  let server: Server;
  let host: string;

  beforeEach(async () => {
    const right = `Basic ${Buffer.from("ops:p@ss w:rd").toString("base64")}`;
    server = createServer((request, response) => {
      const isRight = request.headers.authorization === right;
      response.statusCode = isRight ? 200 : 401;
      response.end(JSON.stringify(isRight ? { hosts: [] } : { error: "who are you?" }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  it("is told user and password, which stand in no message", async () => {
    const classifier = new Classifier(`http://ops:p%40ss%20w%3Ard@${host}/`);
    expect(await classifier.hosts()).toEqual([]);
    expect(classifier.url).toBe(`http://${host}`);
    expect(() => new Classifier("htp://ops:secret@h")).toThrow(/^--url "htp:\/\/…@h": must be/);
  });

  it.each(["", "ops:wrong@"])("says how, where %j is not enough", async (given) => {
    await expect(new Classifier(`http://${given}${host}`).hosts()).rejects.toThrow(
      /asks for a user and a password.*KVMGOV_CLASSIFIER_URL=/,
    );
    await expect(new Classifier(`http://${given}${host}`).hosts()).rejects.not.toThrow(/wrong/);
  });
});
