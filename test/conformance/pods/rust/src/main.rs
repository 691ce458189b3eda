//! A pod's program: says who it is and puts an object where told, with the default credential chain and nothing else.

use aws_smithy_http_client::{Builder, tls};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(e) = run().await {
        // An error's text is that of the outermost one alone.
        let mut error: Option<&dyn std::error::Error> = Some(&*e);
        while let Some(e) = error {
            eprintln!("{e}");
            error = e.source();
        }
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    // The SDK's own HTTP client, with the TLS library that needs no cmake to be built.
    let http = Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http).load().await;
    let me = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await?;
    println!("{{\"arn\": \"{}\"}}", me.arn().unwrap_or_default());
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [bucket, key] = args.as_slice() {
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"rust");
        aws_sdk_s3::Client::from_conf(s3).put_object().bucket(bucket).key(key).body(body).send().await?;
    }
    Ok(())
}
