/** The part of sdp-transform that reads, which its types do not list. */
declare module 'sdp-transform/lib/parser.js' {
  export const parse: typeof import('sdp-transform').parse;
}
