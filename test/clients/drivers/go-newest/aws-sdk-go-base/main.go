// A driver (loop.sh tells what it is asked): Terraform's own code for credentials. What it takes for the account is told as well: it asks iam/info for it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	base "github.com/hashicorp/aws-sdk-go-base/v2"
)

func load(ctx context.Context) (aws.Config, *base.Config) {
	settings := &base.Config{Region: os.Getenv("AWS_REGION"), SkipCredsValidation: true}
	_, loaded, diagnostics := base.GetAwsConfig(ctx, settings)
	for _, diagnostic := range diagnostics {
		panic(diagnostic.Summary() + ": " + diagnostic.Detail())
	}
	return loaded, settings
}

func main() {
	ctx := context.Background()
	tell := json.NewEncoder(os.Stdout).Encode
	switch os.Args[1] {
	case "version":
		info, _ := debug.ReadBuildInfo()
		for _, module := range info.Deps {
			if module.Path == "github.com/hashicorp/aws-sdk-go-base/v2" {
				fmt.Println(strings.TrimPrefix(module.Version, "v"))
			}
		}
	case "use":
		current, settings := load(ctx)
		client := sts.NewFromConfig(current)
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
			account, partition, diagnostics := base.GetAwsAccountIDAndPartition(ctx, current, settings)
			value, _ := current.Credentials.Retrieve(ctx)
			if len(diagnostics) > 0 || account != *identity.Account || partition != "aws" {
				tell(map[string]string{"error": fmt.Sprintf("the account is %s in %s: %v", account, partition, diagnostics)})
				continue
			}
			tell(map[string]string{"arn": *identity.Arn, "key": value.AccessKeyID})
		}
	case "time":
		count, _ := strconv.Atoi(os.Args[2])
		for number := 0; number < count; number++ {
			began := time.Now()
			load(ctx)
			tell(map[string]float64{"ms": time.Since(began).Seconds() * 1000})
		}
	}
}
