// What node does with threads, processes and its event loop.
'use strict';
const assert = require('assert');
const {Worker, isMainThread, workerData, parentPort, MessageChannel} = require('worker_threads');
const cluster = require('cluster');

if (!isMainThread) {
  const words = new Int32Array(workerData.shared);
  if (workerData.waits) {
    parentPort.postMessage(Atomics.wait(words, 1, 0));
  } else {
    for (let i = 0; i < 3000; i++) {
      while (Atomics.compareExchange(words, 2, 0, 1) !== 0) Atomics.wait(words, 2, 1);
      words[0]++;
      Atomics.store(words, 2, 0);
      Atomics.notify(words, 2, 1);
    }
  }
} else if (cluster.isWorker) {
  require('http').createServer((request, response) => response.end(`worker says ${request.url}`)).listen(0, '127.0.0.1');
} else {
  main();
}

function ended(emitter, event) {
  return new Promise((resolve, reject) => { emitter.on(event, resolve); emitter.on('error', reject); });
}

async function main() {
  const shared = new SharedArrayBuffer(16);
  const words = new Int32Array(shared);
  await Promise.all([1, 2, 3].map(() => ended(new Worker(__filename, {workerData: {shared}}), 'exit')));
  console.log('workers', words[0]);
  const waiter = new Worker(__filename, {workerData: {shared, waits: true}});
  const woken = ended(waiter, 'message');
  while (Atomics.notify(words, 1) === 0) await new Promise(setImmediate);
  console.log(await woken);

  // Compiled at once, then hot enough to be optimised, then of other types than it was optimised for.
  const add = (a, b) => a + b;
  let sum = 0;
  for (let i = 0; i < 300000; i++) sum = add(sum, i) | 0;
  console.log(sum, add('deoptimised ', sum), add(1n, 2n));
  const code = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 7, 1, 3, 97,
                               100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
  const {instance} = await WebAssembly.instantiate(code);
  console.log('wasm', instance.exports.add(40, 2));
  console.log('matched', 'aXbXc'.repeat(1000).replace(/(\w)X(\w)/g, '$2$1').length);

  const {spawn, spawnSync, fork} = require('child_process');
  console.log(spawnSync('tr', ['a-z', 'A-Z'], {input: 'through a process'}).stdout.toString());
  const child = spawn('sh', ['-c', 'read x; echo "<$x>"; kill -TERM $$']);
  child.stdin.end('line\n');
  child.stdout.on('data', (data) => console.log(data.toString().trim()));
  console.log(await new Promise((resolve) => child.on('close', (code, signal) => resolve([code, signal]))));

  cluster.setupPrimary({silent: true});
  const worker = cluster.fork();
  const {port} = await ended(worker, 'listening');
  const request = {host: '127.0.0.1', port, path: '/cluster', agent: false};
  console.log(await new Promise((resolve) => require('http').get(request, (response) => {
    response.on('data', (data) => resolve(data.toString()));
  })));
  worker.kill();
  await ended(worker, 'exit');

  const {promises: fs, watch, mkdtempSync} = require('fs');
  const folder = mkdtempSync('/tmp/w');
  const watcher = watch(folder);
  const seen = ended(watcher, 'change');
  await Promise.all([...Array(20).keys()].map((i) => fs.writeFile(`${folder}/${i}`, 'x'.repeat(i))));
  await seen;
  watcher.close();
  console.log((await fs.readdir(folder)).length, (await fs.stat(`${folder}/7`)).size);

  const {promisify} = require('util');
  const zlib = require('zlib');
  const crypto = require('crypto');
  const packed = await Promise.all([1, 2, 3, 4].map((i) => promisify(zlib.gzip)('text '.repeat(1000 * i))));
  console.log((await Promise.all(packed.map((data) => promisify(zlib.gunzip)(data)))).map((text) => text.length));
  console.log((await promisify(crypto.scrypt)('key', 'salt', 16, {N: 256})).toString('hex'));
  const {port1, port2} = new MessageChannel();
  port1.postMessage({map: new Map([[1, [2n]]])});
  console.log(await ended(port2, 'message'));
  port2.close();
  const order = [];
  await new Promise((resolve) => {
    setTimeout(() => { order.push('timeout'); resolve(); }, 300);
    setImmediate(() => order.push('immediate'));
    process.nextTick(() => order.push('tick'));
    Promise.resolve().then(() => order.push('promise'));
  });
  console.log(order.join());
  process.on('SIGUSR2', () => { console.log('signal'); process.exit(6); });
  process.kill(process.pid, 'SIGUSR2');
  setInterval(() => {}, 1000);
}
