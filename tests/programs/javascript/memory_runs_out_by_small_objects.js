const kept = [];
for (;;) kept.push({ list: [1, 2, 3] });
