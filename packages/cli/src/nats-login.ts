/** How commands log in at NATS: as the services do, from the environment alone. */
import { loadConfig, serviceShape } from "@kvm-governor/service-kit";
import type { BusOptions } from "@kvm-governor/service-kit";
import { z } from "zod";

export type NatsLogin = Pick<BusOptions, "url" | "user" | "password" | "tls">;

const { natsUrl, natsUser, natsPassword, natsTls } = serviceShape;
const loginSchema = z.strictObject({ natsUrl, natsUser, natsPassword, natsTls });

/**
 * KVMGOV_NATS_URL, KVMGOV_NATS_USER, KVMGOV_NATS_PASSWORD, and KVMGOV_NATS_TLS, a map in YAML's form:
 * `{ caFile: /etc/ssl/fleet.pem }`. The file that KVMGOV_CONFIG names is not read: it is a service's, with keys that are not ours.
 * @throws {ConfigError} a value that cannot be
 */
export function natsLogin({ KVMGOV_CONFIG: _file, ...env }: NodeJS.ProcessEnv): NatsLogin {
  const login = loadConfig(loginSchema, { env });
  return { url: login.natsUrl, user: login.natsUser, password: login.natsPassword, tls: login.natsTls };
}
