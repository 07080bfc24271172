/** `npm run docs`: writes the pages that are made from the code. */
import { writeFile } from "node:fs/promises";
import { format, resolveConfig } from "prettier";
import { readDeployed, repository } from "../support/deployed.ts";
import { metricsPage } from "./metrics-page.ts";

const file = `${repository}docs/metrics.md`;
const page = await metricsPage();
await writeFile(file, await format(page, { ...(await resolveConfig(file)), filepath: file }));
const families = (await readDeployed("docs/metrics.md")).match(/^\| `kvmgov_/gm)?.length ?? 0;
process.stdout.write(`docs/metrics.md: ${families} families\n`);
