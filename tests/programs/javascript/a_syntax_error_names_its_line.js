console.log('never');

let = = 5;
