/** NATS and Redis in a directory of their own, a bus to play the hosts, and classifiers as real processes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startNats, startRedis } from "@kvm-governor/lab";
import type { NatsOptions, NatsServer, RedisServer } from "@kvm-governor/lab";
import { planSchema } from "@kvm-governor/policy";
import type { Plan } from "@kvm-governor/policy";
import { Readiness, connectBus, createLogger, withoutCredentials } from "@kvm-governor/service-kit";
import type { Bus } from "@kvm-governor/service-kit";
import { Redis } from "ioredis";
import { Registry } from "prom-client";
import { ServiceProcess, waitFor } from "./service-process.ts";

export class ControlPlane {
  readonly nats: NatsServer;
  readonly redisServer: RedisServer;
  /** For looking into Redis; commands wait while it is away. */
  readonly redis: Redis;
  readonly bus: Bus;
  readonly dir: string;
  readonly #classifiers: ServiceProcess[] = [];

  private constructor(dir: string, nats: NatsServer, redisServer: RedisServer) {
    this.dir = dir;
    this.nats = nats;
    this.redisServer = redisServer;
    this.redis = new Redis(redisServer.url, { maxRetriesPerRequest: null });
    this.bus = connectBus({
      url: nats.url,
      user: nats.user,
      password: nats.password,
      name: "test",
      manage: true,
      log: createLogger("test", "silent"),
      readiness: new Readiness(),
      registry: new Registry(),
    });
  }

  /** @param redisConfig more lines for redis.conf */
  static async start(
    options: Partial<NatsOptions> = {},
    redisConfig = "",
    redisAddress = "127.0.0.1",
  ): Promise<ControlPlane> {
    const dir = await mkdtemp(join(tmpdir(), "kvmgov-control-plane-"));
    const nats = await startNats({ dir: join(dir, "nats"), ...options });
    const redis = { dir: join(dir, "redis"), config: redisConfig, address: redisAddress };
    return new ControlPlane(dir, nats, await startRedis(redis));
  }

  /** A classifier on a free port. `env` is laid over what connects it. */
  async classifier(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    const classifier = await ServiceProcess.start("classifier", {
      KVMGOV_NATS_URL: this.nats.url,
      KVMGOV_NATS_USER: this.nats.user,
      KVMGOV_NATS_PASSWORD: this.nats.password,
      KVMGOV_REDIS_URL: withoutCredentials(this.redisServer.url),
      KVMGOV_REDIS_PASSWORD: this.redisServer.password,
      ...env,
    });
    this.#classifiers.push(classifier);
    return classifier;
  }

  /** Publishes as a host does; tries again until the stream is there. */
  async publish(kind: "sample" | "applied" | "host", host: string, value: unknown): Promise<void> {
    await waitFor(`publishing a ${kind}`, 15_000, () =>
      this.bus.publish(kind, host, value).then(
        () => true,
        () => undefined,
      ),
    );
  }

  /** The published plan of a host. */
  async plan(host: string): Promise<Plan | undefined> {
    const entry = await this.bus.plans.get(host);
    return entry === undefined
      ? undefined
      : planSchema.parse(JSON.parse(new TextDecoder().decode(entry.data)));
  }

  /** Waits until a host's sample with this sequence is committed. */
  async committed(host: string, sequence: number, timeoutMs = 15_000): Promise<void> {
    const key = `kvmgov:{${host}}:tick`;
    await waitFor(`tick ${sequence} of ${host}`, timeoutMs, async () =>
      Number(await this.redis.hget(key, "sequence")) >= sequence ? true : undefined,
    );
  }

  async stop(): Promise<void> {
    for (const classifier of this.#classifiers) await classifier.kill();
    this.redis.disconnect();
    await this.bus.close();
    await this.nats.server.stop();
    await this.redisServer.server.stop();
    await rm(this.dir, { recursive: true });
  }
}
