// Steps that scripts take, so that what they load or cache is in the memory image.
import * as d3 from 'd3';
import fs from 'fs';
import path from 'node:path';
{
  const rows = d3.csvParse('a,b\n1,2\n3,4', d3.autoType);
  const scale = d3.scaleLinear().domain([0, d3.max(rows, (row) => row.b)]).nice().range([0, 100]);
  d3.scaleBand().domain(['x', 'y']).range([0, 10]).padding(0.1)('x');
  d3.scaleUtc().domain([new Date(0), new Date(1e12)]).ticks(5).map(d3.utcFormat('%Y-%m-%d'));
  d3.line().x((row) => scale(row.a)).y((row) => scale(row.b))(rows);
  d3.format(',.2f')(1234.5);
  [...d3.group(rows, (row) => row.a)], d3.rollup(rows, (list) => list.length, (row) => row.b);
  JSON.parse(JSON.stringify({ a: [1, 2.5, null, 'x'], when: new Date(0) }, null, 1));
  fs.existsSync(path.join('/mnt/data', 'none.csv'));
  `${new Error('x').stack} ${/(\d+)-(\w+)/.exec('1-a')} ${(1234.5).toFixed(1)} ${[3, 1, 2].sort().map((x) => x * 2)}`;
  class A { #x = 1; get x() { return this.#x; } static s = 1; }
  new A().x, new Map([[1, { a: 1 }]]), new Set([1]), structuredClone({ a: 1 }), Math.random(), Date.now();
  await Promise.resolve(1);
  display.toString();
}
