/** Loaded before a service: its wall clock is off by KVMGOV_TEST_SKEW_MS. Its monotonic clocks are right, as on a real host. */
const skewMs = Number(process.env["KVMGOV_TEST_SKEW_MS"]);
const now = Date.now.bind(Date);

Date.now = () => now() + skewMs;
