/** The toolbox of the bootstrap, as the lab sees it. */
export { ToolboxError, Tools, ensureTools, toolboxRoot, whyNoTools } from "../../../scripts/lib/toolbox.js";
