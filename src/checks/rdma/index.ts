import type { Check } from '../check.js';
import { rdmaFabric } from './rdma-fabric.js';
import { rdmaFeatures } from './rdma-features.js';
import { rdmaGid } from './rdma-gid.js';
import { rdmaMaxima } from './rdma-maxima.js';
import { rdmaMemlock } from './rdma-memlock.js';
import { rdmaMtu } from './rdma-mtu.js';
import { rdmaPort } from './rdma-port.js';
import { rdmaStack } from './rdma-stack.js';
import { rdmaVerdict } from './rdma-verdict.js';

/** Whether this host can carry sockets over RDMA, and what its devices offer. */
export const rdmaChecks: readonly Check[] = [
  rdmaVerdict,
  rdmaStack,
  rdmaPort,
  rdmaGid,
  rdmaMtu,
  rdmaMaxima,
  rdmaMemlock,
  rdmaFeatures,
  rdmaFabric,
];
