'use strict';

// A caller of RouteStream as one is written for Node.js: @grpc/grpc-js, and the types read from the protos at run time.
//
//   node client.js ADDRESS PROTO_FOLDER...
//
// Orders come in on standard input and what happens goes out on standard output, one JSON object a line:
//   in   {"start": ID, "request": {...}} | {"cancel": ID}; the end of the input ends the process
//   out  {"ready": true} | {"id", "event", "value"} | {"id", "cancelled_s"} | {"id", "end": {"code", "message", "reason"}}
// "cancelled_s" is read from CLOCK_MONOTONIC just before the call is cancelled.

const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const [address, ...includeDirs] = process.argv.slice(2);
const definition = protoLoader.loadSync('specroute/v1/router.proto', {
  includeDirs,
  keepCase: true,
  longs: Number,
  enums: String,
  oneofs: true,
});
const { RouterService } = grpc.loadPackageDefinition(definition).specroute.v1;
const client = new RouterService(address, grpc.credentials.createInsecure());
const calls = new Map();

function tell(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

// The reason is an ASCII word within a google.rpc.ErrorInfo; a real caller would parse the details.
function reasonOf(error) {
  const [details] = error.metadata.get('grpc-status-details-bin');
  const found = details && /[A-Z]+(?:_[A-Z]+)+/.exec(details.toString('latin1'));
  return found ? found[0] : '';
}

function start(id, request) {
  const call = client.RouteStream(request);
  calls.set(id, call);
  call.on('data', (message) => tell({ id, event: message.event, value: message[message.event] }));
  call.on('end', () => {});
  call.on('error', (error) => tell({ id, end: { code: error.code, message: error.details, reason: reasonOf(error) } }));
  call.on('status', (status) => {
    if (status.code === grpc.status.OK) tell({ id, end: { code: status.code, message: status.details, reason: '' } });
  });
}

function cancel(id) {
  const cancelledNs = process.hrtime.bigint();
  calls.get(id).cancel();
  tell({ id, cancelled_s: Number(cancelledNs) / 1e9 });
}

const orders = readline.createInterface({ input: process.stdin });
orders.on('line', (line) => {
  const order = JSON.parse(line);
  if (order.start !== undefined) start(order.start, order.request);
  else cancel(order.cancel);
});
orders.on('close', () => {
  client.close();
  process.exit(0);
});

client.waitForReady(Date.now() + 30_000, (error) => {
  if (error) throw error;
  tell({ ready: true });
});
