/** How long the tests of `npm run test:soak` go on, and which dice they throw. */
export const soak = {
  /** Kills, or rounds of them. */
  rounds: Number(process.env["LYDIAN_ROUNDS"] ?? 120),
  seed: Number(process.env["LYDIAN_SEED"] ?? 1),
};
