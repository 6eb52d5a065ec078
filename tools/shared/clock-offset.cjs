// Preloaded into a node of a chaos run: its wall clock is wrong by so much. The monotonic clock cannot be shifted so.
const offset = Number(process.env.CHAOS_CLOCK_OFFSET_MS ?? 0);
const now = Date.now.bind(Date);
Date.now = () => now() + offset;
