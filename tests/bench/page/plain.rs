//! The plain page that camfeed's is measured beside: an `<img>` of the stream, at the same place of the
//! screen; and its server, which has nothing else to give.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// The page: `stage` is left, top, width and height of the place; the picture is as large in it as it fits,
/// and `zoom` times that.
pub fn page(stream: &str, stage: [f64; 4], zoom: f64) -> String {
    let [left, top, width, height] = stage;
    format!(
        "<!doctype html><title>plain</title><body style=\"margin:0;background:#08090b\">\
         <div id=\"stage\" style=\"position:absolute;overflow:hidden;\
         left:{left}px;top:{top}px;width:{width}px;height:{height}px\">\
         <img id=\"picture\" src=\"{stream}\" style=\"width:100%;height:100%;\
         object-fit:contain;transform:scale({zoom})\"></div>"
    )
}

/// A server of one page; it ends when dropped.
pub struct Plain {
    pub address: SocketAddr,
    is_over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Plain {
    pub fn serve(page: String) -> Result<Plain, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| format!("no free port: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let server = thread::spawn(move || {
            for browser in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                // A connection made ahead must not keep others waiting; a browser that goes away may.
                let page = page.clone();
                thread::spawn(move || answer(browser, &page).unwrap_or_default());
            }
        });
        Ok(Plain {
            address,
            is_over,
            server: Some(server),
        })
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It looks when somebody comes.
        if let (Ok(_), Some(server)) = (TcpStream::connect(self.address), self.server.take()) {
            let _ = server.join();
        }
    }
}

fn answer(browser: TcpStream, page: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(&browser);
    let mut line = String::new();
    // To the empty line behind the request's head.
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
    }
    (&browser).write_all(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{page}",
            page.len()
        )
        .as_bytes(),
    )
}
