/** The console's pages and files, for the classifier to serve. */
export { Console } from "./http/handler.ts";
export type { ConsoleOptions } from "./http/handler.ts";
export type { HubStats } from "./live/hub.ts";
export type * from "./facts.ts";
export { staleAfterMs } from "./model/alarms.ts";
export { hostLine } from "./model/fleet.ts";
export type { AlarmRow, HostRow } from "./model/model.ts";
export { SERIES_COLUMNS } from "./model/columns.ts";
export type { SeriesColumn } from "./model/columns.ts";
