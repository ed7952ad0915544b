import { NetworkPool } from "./src/network/network-pool.ts";
import { systemClock, silentLogger as logger } from "@lydian/kit";
import { execFileSync } from "node:child_process";
const ms=(t)=>+(performance.now()-t).toFixed(1); const med=a=>{a.sort((x,y)=>x-y); return `median ${a[a.length>>1]} min ${a[0]} max ${a.at(-1)}`};
const nap=n=>new Promise(r=>setTimeout(r,n));
const o={instance:"tst2",folder:"/run/lydian-t2",size:0,userns:true,logger,clock:systemClock};
let t=performance.now(); let pool=await NetworkPool.open(o); console.log("open fresh",ms(t));
await pool.give(await pool.take("w"));
const make=[],give=[]; for(let i=0;i<25;i++){ t=performance.now(); const s=await pool.take("a"+i); make.push(ms(t)); t=performance.now(); await pool.give(s); give.push(ms(t)); }
console.log("make",med(make)); console.log("give",med(give));
t=performance.now(); let c=process.cpuUsage(); const xs=await Promise.all(Array.from({length:20},(_, i)=>pool.take("tb-"+i))); console.log("20 made at once",ms(t)); 
const listen=[]; for (const x of xs){ t=performance.now(); await pool.listen(x,8700); listen.push(ms(t)); } console.log("listen",med(listen));
t=performance.now(); await Promise.all(xs.map(x=>pool.give(x))); console.log("20 given at once",ms(t));
const w=[]; await nap(500); for(let i=0;i<10;i++){ execFileSync("nft",["delete","table","inet","lydian_tst2"]); t=performance.now(); for(;;){ await nap(2); try{ execFileSync("nft",["list","table","inet","lydian_tst2"],{stdio:"ignore"}); break;}catch{} } w.push(ms(t)); await nap(200);} console.log("restored after (2 ms look + nft spawn included)",med(w));
const kept=await pool.take("kept"); await pool.close({remove:false});
t=performance.now(); pool=await NetworkPool.open({...o,size:8}); console.log("open with one kept",ms(t)); await pool.adopt("kept",kept.index); await pool.listen(kept,8700); console.log(".. its door listens after",ms(t));
await nap(500); const take=[]; for(let i=0;i<15;i++){ t=performance.now(); const s=await pool.take("r"+i); take.push(ms(t)); await nap(60);} console.log("take ready",med(take));
t=performance.now(); await pool.close({remove:true}); console.log("close 24 slots",ms(t));
