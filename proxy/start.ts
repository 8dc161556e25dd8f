/** `npm start`: the proxy, with the demo camera when no other is named, so that there is something to see. */
import { runCommandLine } from './command-line.js';

const args = process.argv.slice(2);
const namesSomething = args.some((argument) => /^(?:--(?:camera|config|demo|help|version)(?:=|$)|-h$)/.test(argument));
await runCommandLine(namesSomething ? args : [...args, '--demo']);
