// Stands for what takes long to load.

export interface Engine {
  tokens(prompt: string): AsyncIterable<string>;
  close(): Promise<void>;
}

export async function load(weights: string): Promise<Engine> {
  console.log(`loaded ${weights}`);
  return {
    async *tokens(prompt) {
      for (const word of prompt.split(" ")) yield word.toUpperCase();
    },
    async close() {
      console.log(`closed ${weights}`);
    },
  };
}
