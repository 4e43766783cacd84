console.log(process.argv.slice(2), process.env.COLOUR, process.cwd());
Promise.resolve().then(() => console.log('never'));
try {
  process.exit(7);
} catch {
  console.log('never');
} finally {
  console.log('never');
}
