#!/usr/bin/env node
import '../dist/support/start.js';
import '../dist/support/passwd.js';
import { fileURLToPath } from 'node:url';
import { main } from '../dist/main.js';

await main(fileURLToPath(new URL('..', import.meta.url)), process.argv.slice(2));
