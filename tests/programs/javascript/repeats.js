import * as d3 from 'd3';
import fs from 'fs';
console.log(Math.random(), crypto.randomUUID(), Date.now(), performance.now(), d3.randomNormal()(), process.hrtime());
await new Promise((resolve) => setTimeout(resolve, 3_600_000));
console.log(Date.now());
for (const name of ['zebra', 'apple', 'mango']) fs.writeFileSync(`${name}.txt`, name);
console.log(fs.readdirSync('.'), fs.statSync('apple.txt').mtime, new Error('x').stack);
d3.shuffle([1, 2, 3, 4, 5])
