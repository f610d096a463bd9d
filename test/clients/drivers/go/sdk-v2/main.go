// A driver (loop.sh tells what it is asked): the AWS SDK for Go v2, with its default chain.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func load() aws.Config {
	loaded, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	return loaded
}

func main() {
	ctx := context.Background()
	tell := json.NewEncoder(os.Stdout).Encode
	switch os.Args[1] {
	case "version":
		fmt.Println(aws.SDKVersion)
	case "use":
		current := load()
		client := sts.NewFromConfig(current, func(options *sts.Options) {
			options.BaseEndpoint = aws.String(os.Getenv("AWS_ENDPOINT_URL_STS"))
		})
		count, _ := strconv.Atoi(os.Args[2])
		gap, _ := time.ParseDuration(os.Args[3] + "s")
		for number := 0; number < count; number++ {
			if number > 0 {
				time.Sleep(gap)
			}
			identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			if err != nil {
				tell(map[string]string{"error": err.Error()})
				continue
			}
			value, _ := current.Credentials.Retrieve(ctx)
			tell(map[string]string{"arn": *identity.Arn, "key": value.AccessKeyID})
		}
	case "time":
		count, _ := strconv.Atoi(os.Args[2])
		for number := 0; number < count; number++ {
			current := load()
			began := time.Now()
			if _, err := current.Credentials.Retrieve(ctx); err != nil {
				panic(err)
			}
			tell(map[string]float64{"ms": time.Since(began).Seconds() * 1000})
		}
	}
}
