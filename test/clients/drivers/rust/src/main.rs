// A driver (loop.sh tells what it is asked): the AWS SDK for Rust, with its default chain, and without TLS, which would take minutes to compile.
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;

async fn load() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).http_client(Builder::new().build_http()).load().await
}

fn provider_of(config: &SdkConfig) -> SharedCredentialsProvider {
    config.credentials_provider().expect("the default chain")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let number_at = |index: usize| words.get(index).map_or(0.0, |word| word.parse::<f64>().expect("a number"));
    match words[1].as_str() {
        "version" => println!("{}", env!("AWS_CONFIG_VERSION")),
        "use" => {
            let config = load().await;
            let sts = aws_sdk_sts::Client::new(&config);
            for number in 0..number_at(2) as u32 {
                if number > 0 {
                    tokio::time::sleep(Duration::from_secs_f64(number_at(3))).await;
                }
                match sts.get_caller_identity().send().await {
                    Ok(identity) => {
                        let keys = provider_of(&config).provide_credentials().await.expect("credentials");
                        println!(r#"{{"arn": "{}", "key": "{}"}}"#, identity.arn().unwrap_or_default(), keys.access_key_id());
                    }
                    Err(error) => println!(r#"{{"error": {:?}}}"#, format!("{error:?}")),
                }
            }
        }
        "time" => {
            for _ in 0..number_at(2) as u32 {
                let config = load().await;
                let began = Instant::now();
                provider_of(&config).provide_credentials().await.expect("credentials");
                println!(r#"{{"ms": {}}}"#, began.elapsed().as_secs_f64() * 1000.0);
            }
        }
        other => panic!("{other}"),
    }
}
