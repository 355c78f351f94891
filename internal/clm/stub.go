package clm

type RuleName string
