//! smoke
use std::time::Duration;
use millpond::{Pool, Pooled};
use millpond_test::*;

#[test]
fn smoke() {
    let rt = TestRuntime::new();
    let m = ScriptedManager::new(rt.clone());
    let pool = Pool::builder(m.clone()).max_size(2).build(rt.clone()).unwrap();
    rt.block_on(async {
        let a = pool.get().await.unwrap();
        println!("{a:?} {:?}", pool.status());
        drop(a);
        println!("{:?}", pool.status());
        let a = pool.get().await.unwrap();
        let b = pool.get().await.unwrap();
        let e = pool.get().timeout(Duration::from_millis(100)).await.unwrap_err();
        println!("{e}");
        drop(a);
        let mut c = pool.get().label("lab").await.unwrap();
        println!("{:?}", pool.holders());
        Pooled::run(&mut c, async |c| { println!("{c:?}"); }).await;
        drop(b);
        drop(c);
        println!("{:?}", pool.close(Duration::from_secs(1)).await);
        println!("{:?}", pool.status());
    });
    println!("{:?}", m.closed());
}
#[test]
fn with_is_send() {
    fn send<T: Send>(_: T) {}
    let rt = TestRuntime::new();
    let m = ScriptedManager::new(rt.clone());
    let pool = Pool::builder(m.clone()).max_size(2).build(rt.clone()).unwrap();
    send(pool.get());
    let p = pool.clone();
    send(async move { p.with(async |r| { r.id(); std::future::ready(()).await; }).await.unwrap(); });
    let p = pool.clone();
    rt.spawn(Box::pin(async move { p.with(async |r| { r.id(); std::future::ready(()).await; }).await.unwrap(); })).unwrap();
}
