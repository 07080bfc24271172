/** What the tests of `linux` have in the kernel's place, for tests of other parts. */
export { HostTree, MOUNTINFO_V1 } from "../../packages/linux/src/cgroup/testing/host-tree.ts";
export { FailingFiles } from "../../packages/linux/src/journal/testing/failing-files.ts";
