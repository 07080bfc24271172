/** Certificates for tests of TLS, made by openssl and good for two days. */
import { execFileSync } from "node:child_process";

/**
 * Makes in `dir`: an authority (`ca`), a server's and a client's certificate from it (`server`, `client`), and an authority that has nothing
 * to do with them (`other-ca`); each as NAME.pem and NAME.key.
 * @param serverNames subjectAltName of the server's, as openssl writes it
 */
export function makeCertificates(dir: string, serverNames: string): void {
  const openssl = (...args: string[]): void =>
    void execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  for (const name of ["ca", "other-ca"])
    openssl("req", "-x509", ...key, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`);
  for (const [name, names] of [
    ["server", serverNames],
    ["client", "DNS:client.test"],
  ] as const) {
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", `subjectAltName=${names}`];
    const files = ["-keyout", `${name}.key`, "-out", `${name}.pem`];
    openssl("req", "-x509", ...signed, ...key, "-subj", `/CN=${name}`, ...files);
  }
}
