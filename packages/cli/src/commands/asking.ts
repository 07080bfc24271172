/** What the commands share that ask the classifier. */
import type { Completeness, FoundGuest, HostAnswer } from "../api/answers.ts";
import { Classifier, ClassifierError } from "../api/client.ts";
import { visible } from "../supervisor/narrator.ts";

export interface AskFlags {
  url: string;
  host?: string;
  json?: boolean;
}

/** Hosts that are asked at the same time. */
const AT_ONCE = 8;

/** The one host of `--host`, by id or name, or all. @throws {ClassifierError} */
export async function answersOf({ url, host }: Pick<AskFlags, "url" | "host">): Promise<HostAnswer[]> {
  const classifier = new Classifier(url);
  const ids = await hostIds(classifier, host);
  const answers: HostAnswer[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    answers.push(...(await Promise.all(ids.slice(at, at + AT_ONCE).map((id) => classifier.host(id)))));
  }
  return answers;
}

/** @throws {ClassifierError} there is no such host */
export async function hostIds(classifier: Classifier, wanted: string | undefined): Promise<string[]> {
  const hosts = await classifier.hosts();
  if (wanted === undefined) return hosts.map(({ id }) => id);
  const found = hosts.filter(({ id, name }) => id === wanted || name === wanted);
  if (found.length > 0) return found.map(({ id }) => id);
  const known = hosts.slice(0, 10).map(({ id, name }) => name ?? id);
  throw new ClassifierError(
    `no host ${wanted}: there ${known.length === 0 ? "is none yet" : `are ${known.join(", ")}`}`,
  );
}

/** The one guest of that name or UUID. @throws {ClassifierError} none, or several */
export async function oneGuest(
  classifier: Classifier,
  guest: string,
  host: string | undefined,
): Promise<FoundGuest> {
  const ids = host === undefined ? undefined : new Set(await hostIds(classifier, host));
  const { guests, missing = [] } = await classifier.find(guest);
  const found = guests.filter((each) => ids?.has(each.host) ?? true);
  const [first] = found;
  if (first === undefined) {
    const unheard = missing.length === 0 ? "" : ` (not everybody was heard: ${missing.join("; ")})`;
    throw new ClassifierError(
      `no guest ${visible(guest)} on any host of the last five minutes${unheard}; "kvmgov lists" shows all`,
    );
  }
  if (found.length > 1) {
    const which = found.map((each) => `${each.uuid} on ${each.host}`).join(", ");
    throw new ClassifierError(`several guests are called ${visible(guest)}: name one by its UUID (${which})`);
  }
  return first;
}

/** What an answer lacks, a line each. */
export function missingLines({ missing = [] }: Completeness): string[] {
  return missing.map((what) => `not complete: ${what}`);
}

export function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
