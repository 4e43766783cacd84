const fs = require('fs');
const path = require('path');
fs.mkdirSync('out/deep', { recursive: true });
fs.writeFileSync(path.join('out', 'text.txt'), 'é');
fs.appendFileSync('out/text.txt', '!');
fs.writeFileSync('out/deep/bytes.bin', new Uint8Array([0, 255]));
console.log(fs.readFileSync('out/text.txt', 'utf8'), fs.readFileSync('out/deep/bytes.bin'), fs.statSync('out/text.txt').size);
fs.renameSync('out/text.txt', 'text.txt');
console.log(fs.readdirSync('.'), fs.existsSync('out/text.txt'), await fs.promises.readFile('in.txt', 'utf8'));
for (const name of ['none', '/etc/passwd', '../../etc/passwd', '/mnt/data/../../proc/self/environ']) {
  try {
    fs.readFileSync(name);
  } catch (error) {
    console.log(error.code, error.message);
  }
}
