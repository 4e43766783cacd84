console.log('before');
for (;;) {
  try {
    for (;;);
  } catch {}
}
