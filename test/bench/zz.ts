import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { startImpairedNetwork } from './impaired-network.js';
import { startProxy } from '../support/proxy.js';
import { Receiver } from '../../client/player/receiver.js';
import { TcpTransport } from '../../client/transport/tcp.js';
import { WebSocketTransport } from '../../client/transport/websocket.js';
import { systemClock } from '../../shared/clock.js';
import WebSocket from 'ws';
const cam = await startGStreamerCamera({mounts:[{path:'/live',video:true,audio:{wave:'ticks'},shared:true}]});
const net = await startImpairedNetwork(cam.port, {sound:'late'});
const proxy = await startProxy({args:['--camera',`cam=rtsp://127.0.0.1:${net.port}/live`]});
const holder = new Receiver({transport:new TcpTransport({host:'127.0.0.1', port:net.port} as any), url:`rtsp://127.0.0.1:${net.port}/live`, clock: systemClock}, {onTracks(){}, onAccessUnit(){}, onEnd(){}, onClose(){}});
await holder.start();
await new Promise(q=>setTimeout(q,3000));
for (const mode of ['tcp','ws']) {
 const url = mode==='ws'? 'rtsp://cam/': `rtsp://127.0.0.1:${net.port}/live`;
 const transport = mode==='ws' ? new WebSocketTransport(`ws://127.0.0.1:${proxy.port}/rtsp/cam`,{WebSocket: WebSocket as any}) : new TcpTransport({host:'127.0.0.1', port:net.port} as any);
 let last=0; const seen: any={}; const t0=Date.now();
 const r = new Receiver({transport, url, clock: systemClock}, {onTracks(t){}, onAccessUnit(track,unit,time){ seen[track.media.kind]={time, at:Date.now()-t0,  utc: track.clock.sender.utcOf(unit.presentationTime)}; if(Date.now()-last>1500&&seen.video&&seen.audio){last=Date.now(); const v=seen.video,a=seen.audio; console.log(mode, 'v.time',v.time.toFixed(3),'a.time',a.time.toFixed(3),'utc-time v', v.utc===null?null:(v.utc/1000-v.time).toFixed(3),'a',a.utc===null?null:(a.utc/1000-a.time).toFixed(3), 'arrival v-a', v.at, a.at);} }, onEnd(){}, onClose(e){if(e)console.log(e)}});
 await r.start(); await new Promise(q=>setTimeout(q,12000)); await r.teardown();
}
await holder.teardown(); await proxy.stop(); await net.stop(); await cam.stop();
