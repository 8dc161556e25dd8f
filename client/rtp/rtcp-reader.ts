/** What it takes to read RTCP, in one piece: it is loaded when the first packet has come, which nobody waits for. */
export { parseRtcp } from '../../shared/rtcp.js';
export { SenderClock } from './sender-clock.js';
