const kept = [];
try {
  for (;;) kept.push(new Uint8Array(1 << 22).fill(1));
} catch (error) {
  console.log(error.name, error.message, kept.length > 4);
  kept.length = 0;
}
console.log('alive');
