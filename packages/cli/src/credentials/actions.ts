/** What `kvmgov credentials` can do; apart from the command, so that who lists commands loads none. */
export type CredentialsAction = "add" | "rotate" | "retire" | "remove" | "list" | "write";
export const CREDENTIALS_ACTIONS: readonly CredentialsAction[] = [
  ...(["add", "rotate", "retire", "remove", "list", "write"] as const),
];
