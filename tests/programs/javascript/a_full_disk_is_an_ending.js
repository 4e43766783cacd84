const fs = require('fs');
for (let i = 0; ; i++) fs.writeFileSync(`file${i}`, 'x'.repeat(1 << 19));
