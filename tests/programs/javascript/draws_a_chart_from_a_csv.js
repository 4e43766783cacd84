import * as d3 from 'd3';
import fs from 'node:fs';

const rows = d3.csvParse(fs.readFileSync('sales.csv', 'utf8'), d3.autoType);
const totals = d3.rollups(rows, (group) => d3.sum(group, (row) => row.amount), (row) => row.region);
const x = d3.scaleBand().domain(totals.map(([region]) => region)).range([40, 400]).padding(0.2);
const y = d3.scaleLinear().domain([0, d3.max(totals, ([, total]) => total)]).nice().range([180, 20]);
const bars = totals.map(([region, total]) => `<rect x="${x(region)}" y="${y(total)}" width="${x.bandwidth()}" height="${y(0) - y(total)}"/>`);
const months = d3.rollups(rows, (group) => d3.sum(group, (row) => row.amount), (row) => +row.month).sort(([a], [b]) => a - b);
const time = d3.scaleUtc().domain(d3.extent(months, ([month]) => month)).range([40, 400]);
const line = d3.line().x(([month]) => time(month)).y(([, total]) => y(total)).curve(d3.curveMonotoneX);
const labels = y.ticks(4).map((tick) => `<text x="0" y="${y(tick)}">${d3.format(',')(tick)}</text>`);
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 200">${bars.join('')}<path d="${line(months)}"/>${labels.join('')}</svg>`;
fs.writeFileSync('chart.svg', svg);
display({ 'image/svg+xml': svg });
console.log(totals, bars.length, line(months).startsWith('M40,'), d3.utcFormat('%B %Y')(months[0][0]));
