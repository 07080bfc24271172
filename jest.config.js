/** Node strips the types itself; `scripts/test.js` starts jest with --experimental-vm-modules. */
export default {
  transform: {},
  extensionsToTreatAsEsm: [".ts"],
  testEnvironment: "node",
  coverageProvider: "v8",
  // Nothing is tested by its speed: this only ends what hangs, also on a machine under load.
  testTimeout: 30_000,
  projects: [
    {
      displayName: "unit",
      transform: {},
      extensionsToTreatAsEsm: [".ts"],
      testMatch: ["<rootDir>/{packages,services,scripts,test}/**/*.test.ts"],
      testPathIgnorePatterns: ["/node_modules/", "<rootDir>/test/e2e/"],
    },
    {
      displayName: "e2e",
      transform: {},
      extensionsToTreatAsEsm: [".ts"],
      testMatch: ["<rootDir>/test/e2e/**/*.test.ts"],
    },
  ],
};
