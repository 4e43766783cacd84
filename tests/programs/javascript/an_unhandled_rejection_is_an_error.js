async function load() {
  await null;
  throw new RangeError('lost');
}
load();
setTimeout(() => console.log('never'), 10);
