/** The users of NATS as its configuration: one for each host, with rights on that host's subjects alone. */
import { inboxPrefixOf, PLANS_BUCKET, subjects, unpartitionedSubject } from "@kvm-governor/policy";
import type { HostUser } from "./book.ts";

/**
 * What a host's services do on the bus: send their own messages, read their own plan. Nothing writes a plan, and nothing reads with a
 * filter of its own choice: the server holds a consumer's filter against the subject that asked for it.
 */
export function permissionsOf(host: string): { publish: string[]; subscribe: string[] } {
  const kinds = Object.keys(subjects) as (keyof typeof subjects)[];
  // Without a partition from hosts of version 0.1.
  const own = kinds.flatMap((kind) => [unpartitionedSubject(kind, host), subjects[kind](host)]);
  const stream = `KV_${PLANS_BUCKET}`;
  const plan = `$KV.${PLANS_BUCKET}.${host}`;
  return {
    publish: [
      ...new Set(own),
      // Configuration and size of the bucket, no values.
      `$JS.API.STREAM.INFO.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}.*.${plan}`,
      // Of consumers with names that the client makes up at random.
      `$JS.API.CONSUMER.INFO.${stream}.*`,
      `$JS.API.CONSUMER.DELETE.${stream}.*`,
      // Flow control of a watch that falls behind.
      `$JS.FC.${stream}.>`,
    ],
    subscribe: [`${inboxPrefixOf(host)}.>`],
  };
}

/** A block `authorization` for nats-server, to be included; the password of `control` stays in the server's environment. */
export function authorizationText(users: readonly HostUser[]): string {
  const lines = users.map(({ host, user, hash }) => {
    const { publish, subscribe } = permissionsOf(host);
    return `    { user: ${quoted(user)}, password: ${quoted(hash)}, permissions: {
        publish: [${publish.map(quoted).join(", ")}]
        subscribe: [${subscribe.map(quoted).join(", ")}] } }`;
  });
  return `# Made by "kvmgov credentials"; changes are lost. In nats-server.conf, in place of its block authorization: include "authorization.conf"
authorization {
  users: [
    # Classifiers, and people: make the streams, write plans.
    { user: control, password: $NATS_CONTROL_PASSWORD }
${lines.join("\n")}
  ]
}
`;
}

/** Strings of NATS' configuration are those of JSON here: hosts and users are of few characters, hashes of bcrypt's. */
const quoted = (text: string): string => JSON.stringify(text);
