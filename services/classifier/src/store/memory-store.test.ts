import { uuidOf } from "../testing/samples.ts";
import { describeGuestPlaces } from "./guest-places.cases.ts";
import { MemoryGuestPlaces } from "./memory-guest-places.ts";
import { MemoryStore } from "./memory-store.ts";
import { describeStore } from "./store.cases.ts";

describeStore("memory", () => new MemoryStore());
describeGuestPlaces(
  "memory",
  () => new MemoryGuestPlaces(),
  () => uuidOf(1),
);
