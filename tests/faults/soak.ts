/** How long the tests of `npm run test:soak` go on, which dice they throw, and how the platform is set. */
export const soak = {
  /** Kills, or rounds of them. */
  rounds: Number(process.env["LYDIAN_ROUNDS"] ?? 120),
  seed: Number(process.env["LYDIAN_SEED"] ?? 1),
  /** Warm starters that wait. */
  starters: Number(process.env["LYDIAN_STARTERS"] ?? 0),
};
