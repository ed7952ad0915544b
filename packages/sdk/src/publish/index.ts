/** Runs and deploys apps: from their definitions to functions on a platform. */
export { runApp, type RunOptions, type RunningApp } from "./run.ts";
export { deployApp, type DeployOptions, type Deployment } from "./deploy.ts";
export { appOf, definitionsOf, loadProgram, type Program } from "./program.ts";
export { definitionOf } from "../definition.ts";
export { readField, shapeOf } from "../fields.ts";
export { type Plan, planOf } from "./publish.ts";
export type { Observer } from "./observer.ts";
