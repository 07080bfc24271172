/** Long forms that `npm test` does not run: `npm run test:topologies`, `npm run test:paper`. */
export default {
  rootDir: "../..",
  transform: {},
  extensionsToTreatAsEsm: [".ts"],
  testMatch: ["<rootDir>/test/long/*.long.ts"],
};
