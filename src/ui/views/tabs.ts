import type { TabId } from '../state/state.js';
import { connections } from './connections.js';
import { descriptors } from './descriptors.js';
import { nics } from './nics.js';
import { processes } from './processes.js';
import { scheduler } from './scheduler.js';
import type { Tab } from './tab.js';
import { userSpace } from './user-space.js';

export const tabs: Readonly<Record<TabId, Tab>> = {
  connections,
  processes,
  scheduler,
  descriptors,
  nic: nics,
  'user-space': userSpace,
};
