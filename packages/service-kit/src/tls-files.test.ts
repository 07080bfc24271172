import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readTlsFiles } from "./tls-files.ts";

let dir: string;
const pem = "-----BEGIN CERTIFICATE-----\n";

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-tls-"));
  for (const name of ["ca", "cert", "key"]) writeFileSync(path.join(dir, name), pem);
  writeFileSync(path.join(dir, "der"), "\u0030\u0082");
});
afterAll(() => rmSync(dir, { recursive: true }));

const file = (name: string): string => path.join(dir, name);

test("reads what is named", () => {
  expect(readTlsFiles("x", {})).toEqual({});
  expect(readTlsFiles("x", { caFile: file("ca"), serverName: "redis.test" })).toEqual({
    ca: pem,
    servername: "redis.test",
  });
  expect(readTlsFiles("x", { certFile: file("cert"), keyFile: file("key") })).toEqual({
    cert: pem,
    key: pem,
  });
});

test("names the key and the file that cannot be used", () => {
  expect(() => readTlsFiles("redisTls", { certFile: file("cert") })).toThrow(
    /redisTls: certFile and keyFile go together/,
  );
  expect(() => readTlsFiles("redisTls", { caFile: file("none") })).toThrow(/redisTls\.caFile: ENOENT.*none/);
  expect(() => readTlsFiles("redisTls", { caFile: file("der") })).toThrow(
    /redisTls\.caFile: .*der is not in PEM form/,
  );
});
