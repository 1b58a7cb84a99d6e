import type { GatewayKind } from './gateway.ts';

/** No gateway at all: the sink, which is the limit. */
export const direct: GatewayKind = {
  key: 'direct',
  name: 'smtp-sink',
  duty: 'relay',
  proxied: false,
  refuses: [],
  unavailable: () => Promise.resolve(null),
  start: ({ sinkPort }) => Promise.resolve({ port: sinkPort, program: null }),
};
